"""Commands `icpi bench NAME`."""
