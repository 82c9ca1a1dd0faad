-- Remove staged rows of ended leases: of runners that died, or that kept writing after they had lost a lease.

create or replace function headgate._clear_stages()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_operation text;
begin
    for v_operation in
        select o.name
        from headgate.operations as o
        where o.stage is not null
            and to_regclass(format('headgate_stage.%I', o.name)) is not null
    loop
        execute format(
            'delete from headgate_stage.%I as s where not exists (select from headgate.chunks as c '
            'where c.chunk_id = s.chunk_id and c.lease_no = s.lease_no and c.state = ''leased'')', v_operation
        );
    end loop;
end;
$func$;
