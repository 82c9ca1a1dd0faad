-- A metric summed over services and labels, less what it was in an earlier run; a counter that began anew counts whole.

create or replace function viral.growth_of(p_name text, p_run_id text, p_before_run_id text)
returns double precision
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select sum(m.value - case when b.value <= m.value then b.value else 0 end)
    from viral.metrics as m
    left join viral.metrics as b
        on b.run_id = p_before_run_id and (b.service, b.name, b.labels) = (m.service, m.name, m.labels)
    where m.run_id = p_run_id
        and m.name = p_name;
$func$;

comment on function viral.growth_of(text, text, text) is
    'By how much a metric of the services grew between two runs; without an earlier run: its value.';
