{#-
    The transition matrix of the channels, as rows (from, to, amount): the steps that lead on, and beside each channel a
    counter that adds up how often it is visited. `transitions` is the name of a CTE or relation.
-#}
{% macro counted_transitions(transitions) -%}
    select
        from_channel_id,
        false as from_counter,
        to_channel_id,
        false as to_counter,
        probability as amount
    from {{ transitions }}
    where to_channel_id not in ({{ channel_state('contract') }}, {{ channel_state('nothing') }})

    union all

    select distinct
        from_channel_id,
        false as from_counter,
        from_channel_id as to_channel_id,
        true as to_counter,
        cast(1 as double) as amount
    from {{ transitions }}

    union all

    select distinct
        from_channel_id,
        true as from_counter,
        from_channel_id as to_channel_id,
        true as to_counter,
        cast(1 as double) as amount
    from {{ transitions }}
{%- endmacro %}

{#- Such a matrix times itself. -#}
{% macro squared(matrix) -%}
    select
        first_half.from_channel_id,
        first_half.from_counter,
        second_half.to_channel_id,
        second_half.to_counter,
        {{ sum_in_order(
            'first_half.amount * second_half.amount', ['first_half.to_channel_id', 'first_half.to_counter']
        ) }} as amount
    from {{ matrix }} as first_half
    inner join {{ matrix }} as second_half
        on
            first_half.to_channel_id = second_half.from_channel_id
            and first_half.to_counter = second_half.from_counter
    group by first_half.from_channel_id, first_half.from_counter, second_half.to_channel_id, second_half.to_counter
{%- endmacro %}

{#-
    The CTE `power`: the counted transitions squared so many times. Spark computes a CTE as often as it is named, which
    would be 2^squarings times: there each square is a table of its own, made by `tables_of_squares` beforehand.
-#}
{% macro power_of_transitions(transitions, squarings) -%}
    {{ return(adapter.dispatch('power_of_transitions')(transitions, squarings)) }}
{%- endmacro %}

{% macro default__power_of_transitions(transitions, squarings) -%}
    power_0 as (

        {{ counted_transitions(transitions) }}

    ),

    {% for squaring in range(1, squarings + 1) %}
    power_{{ squaring }} as (

        {{ squared('power_' ~ (squaring - 1)) }}

    ),
    {% endfor %}

    power as (

        select * from power_{{ squarings }}

    )
{%- endmacro %}

{% macro spark__power_of_transitions(transitions, squarings) -%}
    power as (

        select * from {{ table_of_square(squarings) }}

    )
{%- endmacro %}

{% macro table_of_square(squaring) -%}
    {{ this }}_power_{{ squaring }}
{%- endmacro %}

{#- A hook in front of the model: on Spark it makes the tables of the squares, elsewhere it does nothing. -#}
{% macro tables_of_squares(transitions, squarings) -%}
    {{ return(adapter.dispatch('tables_of_squares')(transitions, squarings)) }}
{%- endmacro %}

{% macro default__tables_of_squares(transitions, squarings) -%}
{%- endmacro %}

{% macro spark__tables_of_squares(transitions, squarings) -%}
    {%- for squaring in range(squarings + 1) -%}
        {%- set rows = squared(table_of_square(squaring - 1)) if squaring else counted_transitions(transitions) -%}
        {%- do run_query('drop table if exists ' ~ table_of_square(squaring)) -%}
        {%- set storage = 'using parquet ' ~ location_of(model.alias ~ '_power_' ~ squaring) -%}
        {%- do run_query('create table ' ~ table_of_square(squaring) ~ ' ' ~ storage ~ ' as ' ~ rows) -%}
    {%- endfor -%}
{%- endmacro %}
