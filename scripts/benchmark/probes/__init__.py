"""What runs inside a measuring process, of either implementation.

A probe is a module with ``measure(package, **arguments)``. It imports the implementation by the
names that both have in common, does the work, and gives ``figures`` (numbers that are compared),
``agree`` (values that must be the same on both sides) and ``notes``.
"""
