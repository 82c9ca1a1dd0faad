variable "bucket" {
  description = "The bucket's name; nobody else in the world may have it."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "Write 3 to 63 lowercase letters, digits and hyphens."
  }
}

variable "key_arn" {
  description = "The key that encrypts the files."
  type        = string
}

variable "log_bucket" {
  description = "A bucket of yours that S3 writes to who read and wrote; none: nothing is noted."
  type        = string
  default     = null
}

variable "infrequent_after_days" {
  description = "After how many days files go where reading costs, and keeping costs half."
  type        = number
  default     = 30

  validation {
    condition     = var.infrequent_after_days >= 30
    error_message = "S3 takes 30 days or more."
  }
}

variable "archive_after_days" {
  description = "After how many days files go to the archive that is read at once."
  type        = number
  default     = 90

  validation {
    condition     = var.archive_after_days >= var.infrequent_after_days + 30
    error_message = "S3 wants 30 days between the two."
  }
}

variable "deep_archive_after_days" {
  description = "After how many days files go to the archive from which they have to be restored, for hours, before anything reads them; null: never."
  type        = number
  default     = 365

  validation {
    condition     = try(var.deep_archive_after_days >= var.archive_after_days + 90, var.deep_archive_after_days == null)
    error_message = "90 days or more after the first archive, which is paid for that long."
  }
}

variable "deleted_kept_days" {
  description = "For how many days what is deleted or replaced can be brought back."
  type        = number
  default     = 30

  validation {
    condition     = var.deleted_kept_days >= 1
    error_message = "One day is the least."
  }
}
