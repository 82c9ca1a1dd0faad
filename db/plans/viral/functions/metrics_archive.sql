-- Deletes the samples that are in files, day by day, each only if its file has as many as the table: a crash before it
-- loses nothing, and after it nothing is written twice.

create or replace function viral.metrics_archive(p_pipeline text, p_run_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_deleted bigint;
    v_short text;
begin
    lock table viral.metrics in share row exclusive mode;
    with day as (
        select
            to_char(m.measured_at at time zone 'UTC', '"year="YYYY"/month="MM"/day="DD') as day, count(*) as rows
        from viral.metrics as m
        where m.measured_at < viral.archived_before(headgate.clock())
        group by 1
    )
    select string_agg(format('%s has %s samples, its file %s', d.day, d.rows, a.rows), '; ' order by d.day) into v_short
    from day as d
    join viral.archived_days() as a using (day)
    where d.rows <> a.rows;
    if v_short is not null then
        raise exception 'nothing is deleted: %', v_short using
            hint = 'remove the file of that day from the store viral_archive, and run the step before again';
    end if;
    delete from viral.metrics as m
    using viral.archived_days() as a
    where m.measured_at < viral.archived_before(headgate.clock())
        and a.day = to_char(m.measured_at at time zone 'UTC', '"year="YYYY"/month="MM"/day="DD');
    get diagnostics v_deleted = row_count;
    return jsonb_build_object(
        'deleted', v_deleted,
        'archived_days', (select count(*) from viral.archived_days()),
        'left', (select count(*) from viral.metrics)
    );
end;
$func$;

comment on function viral.metrics_archive(text, text) is
    'Delete the samples that are in the archive; returns how many, and how many are left.';
