"""Motions from demonstrations: recordings of joints, their geometry, families of motions."""
