-- Runners of several versions work on one database as long as it serves their protocols. One that it does not serve
-- hands in what it holds and ends.

create or replace function headgate.require_protocol(p_protocol integer)
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_oldest constant integer := lower(headgate._protocols());
    v_newest constant integer := upper(headgate._protocols()) - 1;
begin
    if p_protocol is null or p_protocol not between v_oldest and v_newest then
        perform headgate._raise(
            'HG025',
            format(
                'the runner speaks protocol %s, the database %s', coalesce(p_protocol::text, 'none'),
                concat_ws(' to ', v_oldest, nullif(v_newest, v_oldest))
            ),
            case
                when p_protocol > v_newest then 'run `headgate migrate` of the runner''s version first'
                else 'start a runner of the version that migrated the database'
            end
        );
    end if;
end;
$func$;

comment on function headgate.require_protocol(integer) is
    'Raise unless the database serves runners of this protocol.';
