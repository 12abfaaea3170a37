"""Plan what is not known, run it in forked workers, remember it.

Guarantees that an input gets exactly one outcome, whatever the checks do; judges nothing and knows no policy.
"""
