"""Images of cameras: their bytes, encodings and colours."""
