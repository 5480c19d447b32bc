"""`./heraldo verify`: a deployed stage tried from end to end, with nobody's events but its own."""
