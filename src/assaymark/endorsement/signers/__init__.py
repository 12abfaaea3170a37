"""Keys wherever they lie: opened by address, all of one kind (`keys.Signer`) from then on."""
