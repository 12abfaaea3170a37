"""Ways to people and programs: what happened, written as each of them reads it.

Pure: a telling in, a parcel out; whoever sends it decides where it may go.
"""
