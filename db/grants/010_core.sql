-- Who may call and read what in the core. Everything is taken from everybody first; then each role gets what its work
-- needs, by name, and a name that is missing is an error. Applied again after every change of functions and views.
--
-- planner   plans and operates: Airflow, or a person at psql
-- runner    claims chunks and hands results in; reads nothing but handlers' input
-- reader    looks: BI
-- nobody    calls plans' functions for the core

revoke all on schema headgate from public;
revoke all on all tables in schema headgate
    from public, headgate_planner, headgate_runner, headgate_reader, headgate_nobody;
revoke all on all sequences in schema headgate
    from public, headgate_planner, headgate_runner, headgate_reader, headgate_nobody;
revoke all on all functions in schema headgate from public, headgate_planner, headgate_runner, headgate_reader;
alter default privileges for role headgate_owner revoke execute on functions from public;

grant usage on schema headgate to headgate_planner, headgate_runner, headgate_reader, headgate_nobody;

-- The runner writes its staged rows, the plans' roles read their own: headgate._open_stage.
grant usage on schema headgate_stage to headgate_runner;

do $grants$
declare
    v_grant record;
    v_name text;
begin
    for v_grant in
        select *
        from (values
            ('headgate_planner', array[
                'start_execution', 'discover_delta', 'check_quota', 'enqueue_step', 'step_status', 'execution_status',
                'finalize_execution', 'end_run', 'open_runs', 'failed_steps', 'run_pipeline', 'backfill',
                'cancel_execution', 'retry_failed', 'rerun_step', 'skip_step', 'mark_step', 'pause_pipeline',
                'resume_pipeline',
                'explain_plan', 'explain_steps', 'explain_summary', 'explain_totals', 'explain_quota', 'forecast',
                'why', 'explain_asset_day', 'asset_decisions', 'upsert_assets', 'notify',
                'set_asset_active', 'set_provider', 'set_pool', 'cover_groups', 'reset_asset',
                'find_asset', 'find_assets', 'find_group',
                'retain', 'reconcile_quota', 'required_secrets', 'applied_files', 'clock', 'in_words',
                'trigger_pipeline', 'announce_order', 'hear_dags', 'start_obstacle', 'begin_step', 'report_step',
                'step_errors',
                'maintain_history', 'maintain_statistics',
                'check_health', 'database_health', 'plan_metrics', 'examine', 'repair', 'check_run', 'next_actions',
                'run_log', 'run_reasons', 'waiting_changes',
                'run_parameters', 'dated_pipelines', 'execution_groups', 'execution_id', 'execution_counts',
                'alert_run', 'require_fit',
                'preview_request', 'try_answer', 'charge_call', 'step_output', 'run_checks', 'set_check',
                'is_allowed'
            ]),
            ('headgate_runner', array[
                'claim_jobs', 'complete_jobs', 'advance_executions', 'extend_leases', 'release_jobs', 'lose_lease',
                'take_starts', 'look_up_answers', 'heartbeat', 'keep_counts', 'keep_history', 'read_notices',
                'take_store', 'remove_keys', 'forget_keys', 'find_artifacts', 'expire_artifacts', 'end_runner',
                'check_queues', 'require_protocol', 'require_fit', 'open_changes', 'read_changes',
                'prepare_changes', 'read_slot', 'applied_files', 'clock', 'in_words'
            ]),
            ('headgate_reader', array[
                'explain_plan', 'explain_steps', 'explain_summary', 'explain_totals', 'explain_quota', 'forecast',
                'why',
                'explain_asset_day', 'asset_decisions', 'find_asset', 'find_assets',
                'find_group', 'database_health', 'plan_metrics', 'applied_files', 'clock', 'in_words',
                'check_run', 'next_actions', 'run_log', 'run_reasons',
                'run_parameters', 'dated_pipelines', 'execution_counts', 'step_output', 'is_allowed',
                'waiting_changes'
            ])
        ) as g (role, functions)
    loop
        foreach v_name in array v_grant.functions loop
            if to_regproc('headgate.' || v_name) is null then
                raise exception 'there is no function headgate.%', v_name using hint = 'correct the list of names';
            end if;
            execute format('grant execute on function headgate.%I to %I', v_name, v_grant.role);
        end loop;
    end loop;

    grant insert (function, arguments), select (result) on headgate._requests to headgate_planner;
    for v_name in
        select v.viewname from pg_catalog.pg_views as v where v.schemaname = 'headgate' and v.viewname not like '\_%'
    loop
        execute format('grant select on headgate.%I to headgate_planner, headgate_reader', v_name);
    end loop;
    revoke all on schema headgate_bi from public;
    grant usage on schema headgate_bi to headgate_planner, headgate_reader;
    grant select on all tables in schema headgate_bi to headgate_planner, headgate_reader;
end;
$grants$;
