"""Reports of a bag: its run as a page, and its evaluation."""
