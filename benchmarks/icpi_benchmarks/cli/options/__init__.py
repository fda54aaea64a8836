"""Options of `icpi bench NAME`, one module each."""
