resource "aws_security_group" "harbour" {
  name        = "harbour"
  description = "Orders in, and Tomas"

  ingress {
    description = "Orders"
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  ingress {
    description = "Maintenance"
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
