{#- Each squaring doubles the number of steps looked ahead; nobody's path comes near 4,096. -#}
{%- set squarings = 12 -%}
{{- config(pre_hook="{{ tables_of_squares(ref('int_channel_transition'), " ~ squarings ~ ") }}") -}}
-- noqa: disable=LT02
with transitions as (

    select * from {{ ref('int_channel_transition') }}

),

{{ power_of_transitions('transitions', squarings) }},

visits as (

    select
        from_channel_id,
        to_channel_id,
        amount as expected_visits
    from power
    where not from_counter and to_counter

),

contract_chances as (

    select
        visits.from_channel_id as channel_id,
        {{ sum_in_order('visits.expected_visits * transitions.probability', ['visits.to_channel_id']) }}
            as contract_chance
    from visits
    inner join transitions
        on
            visits.to_channel_id = transitions.from_channel_id
            and transitions.to_channel_id = {{ channel_state('contract') }}
    group by visits.from_channel_id

),

whole as (

    select contract_chance from contract_chances
    where channel_id = {{ channel_state('start') }}

),

-- Without a channel are lost the contracts of those who would have come to it: the chance to come to it at all, times
-- the chance of a contract from there.
removals as (

    select
        from_start.to_channel_id as channel_id,
        from_start.expected_visits / from_itself.expected_visits * contract_chances.contract_chance
        / whole.contract_chance as removal_effect
    from visits as from_start
    inner join visits as from_itself
        on
            from_start.to_channel_id = from_itself.from_channel_id
            and from_start.to_channel_id = from_itself.to_channel_id
    inner join contract_chances on from_start.to_channel_id = contract_chances.channel_id
    cross join whole
    where
        from_start.from_channel_id = {{ channel_state('start') }}
        and from_start.to_channel_id <> {{ channel_state('start') }}

)

select * from removals
