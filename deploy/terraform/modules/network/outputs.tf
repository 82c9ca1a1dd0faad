output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Where nodes go."
  value       = [for subnet in aws_subnet.private : subnet.id]
}

output "database_subnet_ids" {
  description = "Where databases go: there is no way out."
  value       = [for subnet in aws_subnet.database : subnet.id]
}

output "exit_addresses" {
  description = "What providers see, for their allow-lists."
  value       = [for address in aws_eip.exit : address.public_ip]
}
