"""System identification: physics that explain recorded trials."""
