variable "name" {
  description = "The cluster's name."
  type        = string
}

variable "kubernetes_version" {
  description = "The version of Kubernetes, such as 1.34."
  type        = string

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "Write major and minor version, such as 1.34."
  }
}

variable "subnet_ids" {
  description = "Private subnets in at least two zones."
  type        = list(string)
}

variable "key_arn" {
  description = "The key that encrypts Secrets and the control plane's log."
  type        = string
}

variable "admin_arns" {
  description = "Roles whose holders administer the cluster: people, and what deploys."
  type        = set(string)

  validation {
    condition     = length(var.admin_arns) > 0
    error_message = "Name one role at least: nobody else may enter the cluster, not even who creates it."
  }
}

variable "public_access_cidrs" {
  description = "From where the cluster's interface may be reached over the internet; none: only from within the network."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : can(cidrnetmask(cidr)) && try(tonumber(split("/", cidr)[1]), 0) >= 16])
    error_message = "Name the addresses of your own networks, /16 or smaller, not the whole internet or half of it."
  }
}

variable "instance_types" {
  description = "Kinds of machines. A runner takes a quarter of a processor and 256 MB at least, 1 GB at most."
  type        = list(string)
  default     = ["m7i.large"]
}

variable "nodes" {
  description = "How many machines: twenty runners fit on three of the default kind."
  type        = object({ min = number, max = number })
  default     = { min = 2, max = 6 }

  validation {
    condition     = var.nodes.min >= 2 && var.nodes.max >= var.nodes.min
    error_message = "Two machines at least, so that one may fail, and no fewer at most than at least."
  }
}
