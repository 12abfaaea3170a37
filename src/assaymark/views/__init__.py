"""Reports: a `Verdict` in, text out.

Everything here is pure: no clock, environment, network or file is read, except pages packaged with the distribution.
"""
