# PostgreSQL in two zones, and a replica for BI. Who administers it is no superuser, and `headgate migrate` needs none.
terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

locals {
  family = "postgres${var.postgres_version}"
  settings = {
    "autovacuum_vacuum_cost_limit"        = "2000"
    "idle_in_transaction_session_timeout" = "600000"
    "log_lock_waits"                      = "1"
    "log_min_duration_statement"          = "5000"
    "log_statement"                       = "ddl"
    "ssl_min_protocol_version"            = "TLSv1.2"
    "track_io_timing"                     = "1"
  }
  logs     = ["postgresql", "upgrade"]
  replicas = [for number in range(var.replicas) : "${var.name}-bi-${number + 1}"]
  # docs/bi.md says why.
  replica_settings = {
    "hot_standby_feedback"        = "0"
    "max_standby_streaming_delay" = "300000"
  }
}

data "aws_iam_policy_document" "monitoring_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
    # Only for this account's own databases.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

resource "aws_iam_role" "monitoring" {
  name               = "${var.name}-database-monitoring"
  assume_role_policy = data.aws_iam_policy_document.monitoring_trust.json
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

# Made here, or the service makes logs that are kept for ever and that only its own key encrypts. They quote slow statements.
resource "aws_cloudwatch_log_group" "this" {
  for_each          = toset([for pair in setproduct(concat([var.name], local.replicas), local.logs) : join("/", pair)])
  name              = "/aws/rds/instance/${each.key}"
  kms_key_id        = var.key_arn
  retention_in_days = 365
}

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "this" {
  name        = "${var.name}-database"
  description = "PostgreSQL, for the cluster's pods alone"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  security_group_id            = aws_security_group.this.id
  referenced_security_group_id = var.client_security_group_id
  description                  = "Pods of the cluster"
  from_port                    = 5432
  ip_protocol                  = "tcp"
  to_port                      = 5432
}

resource "aws_db_parameter_group" "this" {
  for_each    = { primary = local.settings, replica = merge(local.settings, local.replica_settings) }
  name_prefix = "${var.name}-${each.key}-"
  family      = local.family

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  dynamic "parameter" {
    for_each = each.value
    content {
      name  = parameter.key
      value = parameter.value
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "primary" {
  #checkov:skip=CKV_AWS_161:Headgate's roles log in with passwords, which a vault hands to pods; nobody would use IAM's tokens
  identifier     = var.name
  engine         = "postgres"
  engine_version = var.postgres_version
  instance_class = var.instance_class
  db_name        = "headgate"

  # The service keeps the administrator's password and changes it; it is in no state of Terraform.
  username                      = "headgate_admin"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.key_arn

  allocated_storage     = var.storage_gb
  max_allocated_storage = var.storage_gb * 10
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.key_arn

  multi_az               = true
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  publicly_accessible    = false
  parameter_group_name   = aws_db_parameter_group.this["primary"].name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  backup_retention_period   = var.backup_days
  backup_window             = "01:00-02:00"
  maintenance_window        = "sun:04:00-sun:05:00"
  copy_tags_to_snapshot     = true
  deletion_protection       = true
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.name}-last"

  auto_minor_version_upgrade      = true
  enabled_cloudwatch_logs_exports = local.logs
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring.arn
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.key_arn

  depends_on = [aws_cloudwatch_log_group.this]
}

resource "aws_db_instance" "replica" {
  #checkov:skip=CKV_AWS_157:analysts can wait while it is made anew
  #checkov:skip=CKV_AWS_161:as for the primary
  #checkov:skip=CKV_AWS_293:it holds nothing that the primary does not have
  count               = var.replicas
  identifier          = local.replicas[count.index]
  replicate_source_db = aws_db_instance.primary.identifier
  instance_class      = var.instance_class

  storage_type      = "gp3"
  storage_encrypted = true

  vpc_security_group_ids = [aws_security_group.this.id]
  publicly_accessible    = false
  parameter_group_name   = aws_db_parameter_group.this["replica"].name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  copy_tags_to_snapshot = true
  skip_final_snapshot   = true

  auto_minor_version_upgrade      = true
  enabled_cloudwatch_logs_exports = local.logs
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring.arn
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.key_arn

  depends_on = [aws_cloudwatch_log_group.this]
}
