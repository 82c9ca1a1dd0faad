-- A timestamp in requests: a date at midnight UTC, otherwise ISO 8601. It and _field are inlined: no pinned path.

create or replace function headgate._request_time(p_at timestamptz)
returns text
language sql
stable
as $func$
    select case
        when date_trunc('day', p_at at time zone 'UTC') = p_at at time zone 'UTC'
            then to_char(p_at at time zone 'UTC', 'YYYY-MM-DD')
        else to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    end;
$func$;
