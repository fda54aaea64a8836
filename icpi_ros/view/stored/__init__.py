"""Page of the stored runs side by side: `icpi runs --view`; it needs no viser."""
