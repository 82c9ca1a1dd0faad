-- Whether the session's user and its current role may act for the owner.

create or replace function headgate._is_owners()
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select pg_has_role(session_user, 'headgate_owner', 'member')
        and (
            current_setting('role') = 'none'
            or exists (
                select
                from pg_roles as r
                where r.rolname = current_setting('role')
                    and pg_has_role(r.oid, 'headgate_owner', 'member')
            )
        );
$func$;
