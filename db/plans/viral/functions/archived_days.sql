-- The days whose samples are in files of the archive. A file is there once its row is committed.

create or replace function viral.archived_days()
returns table (day text, rows bigint)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select substring(a.name from 'year=\d{4}/month=\d\d/day=\d\d'), sum(a.rows)::bigint
    from headgate.v_artifacts as a
    where a.operation = 'viral_archive'
        and a.is_current
    group by 1;
$func$;

comment on function viral.archived_days() is 'The days that are in the archive, and how many samples of each.';
