"""Style of all pictures and pages."""
