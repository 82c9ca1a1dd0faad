-- Return reserved units of these chunks; units spent by a lease stay spent.

create or replace function headgate._return_units(p_chunks headgate.chunks[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_release record;
begin
    for v_release in
        select c.provider_id, c.window_opened_at, sum(c.units)::integer as units
        from unnest(p_chunks) as c
        where c.state <> 'leased'
            and c.window_opened_at is not null
        group by c.provider_id, c.window_opened_at
        order by c.provider_id, c.window_opened_at
    loop
        perform headgate._move_units(v_release.provider_id, v_release.window_opened_at, -v_release.units, 0);
    end loop;
end;
$func$;
