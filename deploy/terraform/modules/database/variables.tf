variable "name" {
  description = "The server's name."
  type        = string
}

variable "postgres_version" {
  description = "PostgreSQL's major version; the service chooses the minor one."
  type        = string
  default     = "18"

  validation {
    condition     = contains(["17", "18"], var.postgres_version)
    error_message = "Write 17 or 18."
  }
}

variable "instance_class" {
  description = "The kind of machine."
  type        = string
  default     = "db.m7g.large"

  validation {
    condition     = startswith(var.instance_class, "db.")
    error_message = "Write a kind of RDS, such as db.m7g.large."
  }
}

variable "storage_gb" {
  description = "The disk at first, in GB; it grows by itself to ten times that."
  type        = number
  default     = 100

  validation {
    condition     = var.storage_gb >= 20
    error_message = "20 GB is the least."
  }
}

variable "backup_days" {
  description = "For how many days the server can be taken back to any second."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_days >= 7 && var.backup_days <= 35
    error_message = "Write 7 to 35 days; a replica needs them, too."
  }
}

variable "replicas" {
  description = "How many replicas analysts read."
  type        = number
  default     = 1

  validation {
    condition     = contains(range(0, 6), var.replicas)
    error_message = "Write 0 to 5."
  }
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets without a way out, in at least two zones."
  type        = list(string)
}

variable "client_security_group_id" {
  description = "The security group of those who may connect: the cluster's."
  type        = string
}

variable "key_arn" {
  description = "The key that encrypts disk, backups, the administrator's password and insights."
  type        = string
}
