-- Run the checks of a pipeline, or those without one. A failed report fails the step; the results stay.

create or replace function headgate._run_checks(
    p_pipeline text,
    p_run_id text
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_execution_id constant bigint := case
        when p_run_id is not null and p_pipeline is not null
            then (headgate._execution(p_pipeline, p_run_id)).execution_id
    end;
    v_check headgate.checks;
    v_results headgate.check_results[] := '{}';
    v_is_out_of_time boolean := false;
    v_tried record;
begin
    for v_check in
        select c.* from headgate.checks as c where c.pipeline is not distinct from p_pipeline order by c.name
    loop
        select * into v_tried from headgate._try_query(v_check.function, v_check.timeout, v_is_out_of_time);
        v_is_out_of_time := v_tried.is_out_of_time;
        v_results := v_results || headgate._keep_results(
            v_check, v_execution_id, v_tried.rows, v_tried.error, v_now
        );
    end loop;
    return headgate._report_of_checks(v_results);
end;
$func$;

-- Write the results of a check, and raise or resolve its alerts.
create or replace function headgate._keep_results(
    p_check headgate.checks,
    p_execution_id bigint,
    p_rows jsonb,
    p_error text,
    p_now timestamptz
)
returns headgate.check_results[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_results headgate.check_results[];
begin
    with written as (
        insert into headgate.check_results (
            name, subject, execution_id, checked_at, status, value, message, failing, failing_since
        )
        select
            p_check.name, f.subject, p_execution_id, p_now, j.status, trim_scale(f.value), j.message,
            case when j.status <> 'passed' then headgate._kept_rows(f.failing) end,
            case when j.status <> 'passed' then coalesce(l.failing_since, p_now) end
        from (
            select f.subject, f.value, f.failing
            from jsonb_to_recordset(p_rows) as f (subject text, value numeric, failing jsonb)
            union all
            select '', null, null where p_error is not null
        ) as f
        cross join lateral headgate._outcome_of(p_check, f.value, p_error) as j
        left join lateral (
            select r.failing_since
            from headgate.check_results as r
            where r.name = p_check.name
                and r.subject = f.subject
            order by r.result_id desc
            limit 1
        ) as l on true
        returning *
    )
    select coalesce(array_agg(w order by w.result_id), '{}') into v_results from written as w;
    if p_check.hold_for is not null then
        perform headgate._set_alert(
            headgate._check_subject(r.name, r.subject), case r.status when 'warned' then 'warning' else 'error' end,
            r.message, coalesce(r.failing_since <= p_now - p_check.hold_for, false), p_now
        )
        from unnest(v_results) as r;
        perform headgate._resolve_checks_alerts(
            p_check.name, array(select headgate._check_subject(r.name, r.subject) from unnest(v_results) as r), p_now
        )
        where p_error is null;
    end if;
    return v_results;
end;
$func$;

-- Judges like dbt: error_if first, unless the check only warns, then warn_if. A missing value never fails.
create or replace function headgate._outcome_of(
    p_check headgate.checks,
    p_value numeric,
    p_error text,
    out status text,
    out message text
)
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_is_error constant boolean := p_check.severity = 'error' and headgate._compares(p_value, p_check.error_if);
begin
    status := case
        when p_error is not null then 'errored'
        when v_is_error then 'failed'
        when headgate._compares(p_value, p_check.warn_if) then 'warned'
        else 'passed'
    end;
    if p_error is not null then
        message := format('%s: %s', p_check.name, p_error);
    elsif status <> 'passed' then
        message := format(
            '%s is %s, %s if %s', p_check.name,
            case
                when p_check.kind <> 'freshness' then trim_scale(round(p_value, 4))::text
                when p_value = 'Infinity' then 'without a row'
                else justify_interval(make_interval(secs => round(p_value)::double precision))::text
            end,
            case when v_is_error then 'fails' else 'warns' end,
            case when v_is_error then p_check.error_if else p_check.warn_if end
        );
    end if;
end;
$func$;

create or replace function headgate._compares(
    p_value numeric,
    p_comparison text
)
returns boolean
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case substring(p_comparison from '^[=!<>]{1,2}')
        when '=' then p_value = b.bound
        when '!=' then p_value <> b.bound
        when '<>' then p_value <> b.bound
        when '<' then p_value < b.bound
        when '<=' then p_value <= b.bound
        when '>' then p_value > b.bound
        when '>=' then p_value >= b.bound
    end
    from (select headgate._bound_of(p_comparison) as bound) as b;
$func$;

-- Failing rows, the first of them and at most 64 kB.
create or replace function headgate._kept_rows(p_failing jsonb)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_agg(r.row order by r.nth)
    from (
        select u.row, u.nth, sum(octet_length(u.row::text)) over (order by u.nth) as bytes
        from jsonb_array_elements(p_failing) with ordinality as u (row, nth)
    ) as r
    where r.bytes <= 65536;
$func$;

-- A step's output is small, so it has each check once, by its worst result; the rest is in v_check_results.
create or replace function headgate._report_of_checks(p_results headgate.check_results[])
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    with result as (
        select
            r.*, array_position('{errored,failed,warned,passed}', r.status) as rank,
            row_number() over (
                partition by r.name
                order by array_position('{errored,failed,warned,passed}', r.status), r.result_id
            ) as nth,
            count(*) filter (where r.status in ('errored', 'failed')) over (order by r.result_id) as told
        from unnest(p_results) as r
    )
    select jsonb_strip_nulls(jsonb_build_object(
        'status', case when min(r.rank) <= 2 then 'failed' else 'succeeded' end,
        'error', headgate._count_words(count(*) filter (where r.rank <= 2), 'check') || ' failed: '
            || string_agg(r.message || coalesce(' (' || nullif(r.subject, '') || ')', ''), '; ' order by r.result_id)
                filter (where r.rank <= 2 and r.told <= 20),
        'passed', count(*) filter (where r.status = 'passed'),
        'warned', count(*) filter (where r.status = 'warned'),
        'failed', count(*) filter (where r.status = 'failed'),
        'errored', count(*) filter (where r.status = 'errored'),
        'checks', coalesce(
            jsonb_object_agg(r.name, jsonb_build_object('status', r.status, 'value', r.value))
                filter (where r.nth = 1),
            '{}'
        )
    ))
    from result as r;
$func$;

-- The subject of a check's alert.
create or replace function headgate._check_subject(
    p_name text,
    p_subject text
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select 'check ' || p_name || coalesce(' ' || nullif(p_subject, ''), '');
$func$;
