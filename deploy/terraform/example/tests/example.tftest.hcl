# Plans and applies everything on a provider that makes answers up: references, types and conditions are real, accounts are not.
mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_db_instance" {
    defaults = { master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:1" }] }
  }
}

variables {
  region     = "eu-central-1"
  zones      = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  bucket     = "example-headgate"
  admin_arns = ["arn:aws:iam::123456789012:role/admin"]
}

run "everything" {
  command = apply

  assert {
    condition     = output.store_url == "s3://example-headgate" && output.store_region == "eu-central-1"
    error_message = "put_store is told the wrong place."
  }
  assert {
    condition     = length(output.replica_hosts) == 1 && output.database_host != null && output.admin_secret_arn != null
    error_message = "The database's addresses are missing."
  }
  assert {
    condition     = length(output.exit_addresses) == 3
    error_message = "Each zone has an exit of its own."
  }
  assert {
    condition     = length(output.role_arns) == 2
    error_message = "Runners and External Secrets have a role each."
  }
}

run "one_exit_and_no_replica" {
  command = apply

  variables {
    one_exit = true
    replicas = 0
  }

  assert {
    condition     = length(output.exit_addresses) == 1 && length(output.replica_hosts) == 0
    error_message = "There is one exit, and nobody to read but the primary."
  }
}

run "a_bad_name" {
  command = plan
  variables {
    name = "Head Gate"
  }
  expect_failures = [var.name]
}

run "subnets" {
  command = apply
  module {
    source = "../modules/network"
  }
  variables {
    name        = "example"
    log_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
  }

  assert {
    condition = values(aws_subnet.private)[*].cidr_block == ["10.20.64.0/21", "10.20.72.0/21", "10.20.80.0/21"] && length(distinct(concat(
      values(aws_subnet.public)[*].cidr_block, values(aws_subnet.private)[*].cidr_block, values(aws_subnet.database)[*].cidr_block,
    ))) == 9
    error_message = "Subnets lie one within the other."
  }
  assert {
    condition     = alltrue([for route in aws_route.private : route.destination_cidr_block == "0.0.0.0/0"]) && length(aws_route_table.database.route) == 0
    error_message = "Nodes have a way out, databases have none."
  }
}

run "one_zone" {
  command = plan
  module {
    source = "../modules/network"
  }
  variables {
    name        = "example"
    log_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
    zones       = ["eu-central-1a"]
    cidr        = "10.20.0.0/8"
  }
  expect_failures = [var.zones, var.cidr]
}

run "an_open_cluster" {
  command = plan
  module {
    source = "../modules/cluster"
  }
  variables {
    name                = "example"
    kubernetes_version  = "latest"
    subnet_ids          = ["subnet-1", "subnet-2"]
    key_arn             = "arn:aws:kms:eu-central-1:123456789012:key/1"
    public_access_cidrs = ["0.0.0.0/1", "128.0.0.0/1"]
    admin_arns          = []
    nodes               = { min = 2, max = 1 }
  }
  expect_failures = [var.kubernetes_version, var.public_access_cidrs, var.admin_arns, var.nodes]
}

run "a_database_out_of_bounds" {
  command = plan
  module {
    source = "../modules/database"
  }
  variables {
    name                     = "example"
    vpc_id                   = "vpc-1"
    subnet_ids               = ["subnet-1", "subnet-2"]
    client_security_group_id = "sg-1"
    key_arn                  = "arn:aws:kms:eu-central-1:123456789012:key/1"
    postgres_version         = "14"
    instance_class           = "m7g.large"
    storage_gb               = 5
    backup_days              = 0
    replicas                 = 6
  }
  expect_failures = [var.postgres_version, var.instance_class, var.storage_gb, var.backup_days, var.replicas]
}

run "files_age" {
  command = apply
  module {
    source = "../modules/store"
  }
  variables {
    key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
  }

  assert {
    condition = { for step in aws_s3_bucket_lifecycle_configuration.this.rule[0].transition : step.storage_class => step.days } == {
      STANDARD_IA  = 30
      GLACIER_IR   = 90
      DEEP_ARCHIVE = 365
    }
    error_message = "Files age otherwise."
  }
}

run "files_that_have_to_be_read_for_ever" {
  command = apply
  module {
    source = "../modules/store"
  }
  variables {
    key_arn                 = "arn:aws:kms:eu-central-1:123456789012:key/1"
    deep_archive_after_days = null
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this.rule[0].transition) == 2
    error_message = "Files still go where they cannot be read."
  }
}

run "a_store_that_s3_refuses" {
  command = plan
  module {
    source = "../modules/store"
  }
  variables {
    key_arn               = "arn:aws:kms:eu-central-1:123456789012:key/1"
    bucket                = "My.Bucket"
    infrequent_after_days = 1
    deleted_kept_days     = 0
  }
  expect_failures = [var.bucket, var.infrequent_after_days, var.deleted_kept_days]
}

run "an_archive_too_early" {
  command = plan
  module {
    source = "../modules/store"
  }
  variables {
    key_arn            = "arn:aws:kms:eu-central-1:123456789012:key/1"
    archive_after_days = 40
  }
  expect_failures = [var.archive_after_days]
}

run "a_deep_archive_too_early" {
  command = plan
  module {
    source = "../modules/store"
  }
  variables {
    key_arn                 = "arn:aws:kms:eu-central-1:123456789012:key/1"
    deep_archive_after_days = 100
  }
  expect_failures = [var.deep_archive_after_days]
}
