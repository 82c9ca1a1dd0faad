-- When a failed step is retried automatically; null: it has no retries left, or nothing that a retry may run, because
-- its calls may have been made.

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
        when p_step.retried < p_step.retries
            and not p_step.is_left_out
            and (
                p_step.deferred_by_internal_fault = 0
                or exists (
                    select
                    from headgate.asset_processing_details as d
                    where d.execution_id = p_step.execution_id
                        and d.step = p_step.step
                        and d.round = p_step.round
                        and d.ended_at >= p_step.started_at
                        and d.status in ('failed', 'deferred', 'cancelled')
                        and not headgate._is_unknown(d.reason)
                )
            )
            then p_now + make_interval(secs => least(
                extract(epoch from p_step.retry_delay) * power(p_step.retry_backoff::double precision, p_step.retried),
                extract(epoch from interval '30 days')
            ))
    end;
$func$;
