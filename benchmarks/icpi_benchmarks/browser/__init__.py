"""A real browser without a screen, for tests and measurements of pages."""
