variable "name" {
  description = "What names of cluster, database, keys and roles begin with."
  type        = string
  default     = "headgate"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "Write 2 to 31 lowercase letters, digits and hyphens, a letter first."
  }
}

variable "region" {
  description = "Where all of it is, such as eu-central-1."
  type        = string
}

variable "zones" {
  description = "The availability zones, such as eu-central-1a and eu-central-1b."
  type        = list(string)
}

variable "cidr" {
  description = "The network's addresses."
  type        = string
  default     = "10.20.0.0/16"
}

variable "one_exit" {
  description = "Whether providers see one address, at the price of a single point of failure."
  type        = bool
  default     = false
}

variable "kubernetes_version" {
  description = "The version of Kubernetes."
  type        = string
  default     = "1.34"
}

variable "admin_arns" {
  description = "Roles whose holders administer the cluster."
  type        = set(string)
}

variable "public_access_cidrs" {
  description = "From where the cluster's interface may be reached over the internet."
  type        = list(string)
  default     = []
}

variable "nodes" {
  description = "How many machines."
  type        = object({ min = number, max = number })
  default     = { min = 2, max = 6 }
}

variable "postgres_version" {
  description = "PostgreSQL's major version."
  type        = string
  default     = "18"
}

variable "database_class" {
  description = "The database's kind of machine."
  type        = string
  default     = "db.m7g.large"
}

variable "replicas" {
  description = "How many replicas analysts read."
  type        = number
  default     = 1
}

variable "bucket" {
  description = "The name of the bucket for artifacts."
  type        = string
}

variable "log_bucket" {
  description = "A bucket of yours for the notes of who read and wrote."
  type        = string
  default     = null
}
