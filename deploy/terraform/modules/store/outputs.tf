output "arn" {
  description = "The bucket, for who may write to it."
  value       = aws_s3_bucket.this.arn
}

output "url" {
  description = "What put_store takes."
  value       = "s3://${aws_s3_bucket.this.bucket}"
}
