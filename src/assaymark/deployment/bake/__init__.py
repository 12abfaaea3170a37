"""Images made so that the same input gives the same digest, with what is in them written down beside."""
