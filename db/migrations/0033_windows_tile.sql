-- A window knows by whose calendar it was opened, so that a change of the calendar cannot open a second one in the same hours.

alter table headgate.quota_windows add column calendar text not null default '';

comment on column headgate.quota_windows.calendar is 'Period and zone of the provider by which its end was found.';
