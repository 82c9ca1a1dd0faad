variable "name" {
  description = "What names begin with."
  type        = string
}

variable "cidr" {
  description = "The network's addresses: a private range, /16 to /20."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && contains(range(16, 21), try(tonumber(split("/", var.cidr)[1]), 0))
    error_message = "Write a range of addresses of /16 to /20, such as 10.20.0.0/16."
  }
}

variable "zones" {
  description = "The availability zones: two to six, as a cluster and a database demand at least two."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 6 && length(distinct(var.zones)) == length(var.zones)
    error_message = "Name two to six different availability zones."
  }
}

variable "one_exit" {
  description = "Whether all zones share one NAT gateway: providers see one address, and it is cheaper, but its zone is a single point of failure."
  type        = bool
  default     = false
}

variable "log_key_arn" {
  description = "The key that encrypts the log of refused connections."
  type        = string
}
