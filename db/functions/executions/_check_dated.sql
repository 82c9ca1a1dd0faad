-- A run for a past date does that date's work only if a request names the date.

create or replace function headgate._check_dated(
    p_pipeline headgate.pipelines,
    p_logical_date timestamptz
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    if not headgate._has_dates(p_pipeline.pipeline_id) then
        perform headgate._raise(
            'HG022',
            format(
                'pipeline %s has no request that names a date: a run for %s would do today''s work', p_pipeline.name,
                to_char(p_logical_date at time zone 'UTC', 'YYYY-MM-DD')
            ),
            'name {run.date} or {run.logical_date} in the path, query, headers or body of an operation'
        );
    end if;
end;
$func$;
