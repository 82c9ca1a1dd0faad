-- Old history is dropped by monthly partition, never deleted row by row; of executions, which are fewer, at most
-- 200,000 are deleted at once, the oldest first: headgate.keep_history deletes them all day long.

create or replace function headgate.retain(p_keep interval)
returns table (dropped_partitions integer, deleted_executions integer, left_executions integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_before constant timestamptz := headgate.clock() - p_keep;
    v_partition record;
begin
    if p_keep is null or p_keep < interval '1 day' then
        perform headgate._raise('HG008', 'p_keep must be at least 1 day', 'e.g. 400 days');
    end if;
    perform headgate._open_months(3);
    dropped_partitions := 0;
    for v_partition in
        select c.oid::regclass as name
        from pg_inherits as i
        join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = 'headgate.asset_processing_details'::regclass
            and case  -- evaluated in this order: a TOAST table's name may end in six digits that are not a month
                when c.relname ~ '^asset_processing_details_[0-9]{6}$'
                    then (to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month') at time zone 'UTC' <= v_before
            end
    loop
        execute format('drop table %s', v_partition.name);
        dropped_partitions := dropped_partitions + 1;
    end loop;
    delete from headgate.asset_processing_details_default as d where d.ended_at < v_before;

    deleted_executions := headgate._forget_runs(v_before, 200000);
    left_executions := headgate._left_runs(v_before);
    delete from headgate.check_results as r where r.checked_at < v_before;
    delete from headgate.quota_windows as w where w.closes_at < v_before;
    delete from headgate.job_hours as h where h.hour < v_before;
    delete from headgate.state_days as s where s.day < (v_before at time zone 'UTC')::date;
    perform headgate._forget_notices(v_before);
    delete from headgate.operator_actions as a where a.acted_at < v_before;
    delete from headgate.artifacts as a where a.deleted_at < v_before;
    perform headgate._forget_runners();
    if p_keep < (select (s.value #>> '{}')::interval from headgate.settings as s where s.name = 'keep_history') then
        perform headgate._record_action(
            'retain',
            jsonb_build_object('keep', p_keep),
            jsonb_build_object(
                'dropped_partitions', dropped_partitions, 'deleted_executions', deleted_executions
            )
        );
    end if;
    return next;
end;
$func$;

comment on function headgate.retain(interval) is
    'Delete history older than p_keep: whole months of details, ended executions, results of checks, closed windows, '
    'notices; and runners that are gone. At most 200,000 executions: call it again while it leaves some. Who keeps '
    'less than the setting keep_history is recorded. Returns counts.';
