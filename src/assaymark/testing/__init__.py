"""What tests of Assaymark and of third parties' checks can stand on."""
