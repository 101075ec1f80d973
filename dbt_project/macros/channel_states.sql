{#- Places on a path that are no channel: channels have the keys of sources, 0 for one that is not recorded. -#}
{% macro channel_state(name) -%}
    {{ return({'start': -10, 'contract': -11, 'nothing': -12}[name]) }}
{%- endmacro %}
