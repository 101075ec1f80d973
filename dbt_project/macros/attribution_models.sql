{#- The attribution models that SQL computes, in the order in which they are shown. -#}
{% macro attribution_models() -%}
    {{ return(['first', 'last', 'last_non_direct', 'linear', 'position', 'time_decay', 'markov', 'shapley']) }}
{%- endmacro %}

{#- The same as the rows of a relation, for a CTE. -#}
{% macro attribution_model_rows() -%}
    {%- for attribution_model in attribution_models() %}
    select '{{ attribution_model }}' as attribution_model
    {%- if not loop.last %} union all{% endif %}
    {%- endfor %}
{%- endmacro %}
