-- Whether it is time to count again; it is, too, if the clock of the last count was ahead of ours.

create or replace function headgate._are_counts_due()
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select not exists (
        select
        from headgate.count_times as t
        cross join (select headgate.clock() as now offset 0) as c
        where c.now >= t.counted_at
            and c.now < t.next_at
    );
$func$;
