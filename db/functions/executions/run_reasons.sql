-- Why jobs of a run did not succeed, the most frequent reasons first. An index finds failed and deferred jobs; of
-- skipped ones, of which a run may have as many as it has assets, the first 1,000 are counted.

create or replace function headgate.run_reasons(
    p_pipeline text,
    p_run_id text,
    p_limit integer default 25
)
returns table (operation text, status text, error text, jobs bigint, example text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_execution constant headgate.process_executions := headgate._execution(p_pipeline, p_run_id);
begin
    return query
    select o.name, r.status, r.error, r.jobs, r.example
    from (
        select
            j.operation_id, j.status, j.error, count(*) as jobs, min(a.code) as example,
            row_number() over (partition by j.status = 'skipped' order by count(*) desc, min(a.code)) as nth
        from (
            select d.operation_id, d.asset_id, d.status, coalesce(d.error, d.reason) as error
            from headgate.asset_processing_details as d
            where d.execution_id = v_execution.execution_id
                and d.ended_at >= v_execution.started_at
                and d.status in ('failed', 'deferred')
            union all
            select s.operation_id, s.asset_id, 'skipped', s.error
            from (
                select d.operation_id, d.asset_id, coalesce(d.error, d.reason) as error
                from headgate.asset_processing_details as d
                where d.execution_id = v_execution.execution_id
                    and d.ended_at >= v_execution.started_at
                    and d.status = 'skipped'
                    and exists (  -- most runs have none
                        select
                        from headgate.v_execution_steps as t
                        where t.pipeline = p_pipeline
                            and t.run_id = p_run_id
                            and t.skipped > 0
                    )
                limit 1000
            ) as s
        ) as j
        join headgate.assets as a using (asset_id)
        group by j.operation_id, j.status, j.error
    ) as r
    join headgate.operations as o using (operation_id)
    where r.nth <= p_limit
    order by r.status = 'skipped', r.nth;
end;
$func$;

comment on function headgate.run_reasons(text, text, integer) is
    'Why jobs of a run failed, were deferred or skipped: how many for which reason, each with an example; at most '
    'p_limit reasons of failures and deferrals, and as many of skips.';
