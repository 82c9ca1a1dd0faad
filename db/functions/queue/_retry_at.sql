-- When a step that has failed is run again by itself; null: it has no retries left, or
-- nothing that a retry may run.

create or replace function headgate._retry_at(
    p_step headgate.process_steps,
    p_now timestamptz
)
returns timestamptz
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_step.retried < p_step.retries and not p_step.is_left_out then p_now + make_interval(secs => least(
            extract(epoch from p_step.retry_delay) * power(p_step.retry_backoff::double precision, p_step.retried),
            extract(epoch from interval '30 days')
        ))
    end;
$func$;
