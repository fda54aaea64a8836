"""Offline evaluation: recorded trials perceived, judged and answered again."""
