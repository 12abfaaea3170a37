"""From an approved digest to what runs: gates, phoenix upgrades, drift from what was endorsed; knows no store and no server."""
