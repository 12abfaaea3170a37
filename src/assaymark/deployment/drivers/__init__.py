"""What runs things: each driver answers the same few questions (`driver.Driver`), and knows no rule about when to ask them."""
