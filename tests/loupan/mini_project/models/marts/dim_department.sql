select * from (values (1, 'North'), (2, 'South')) as department (department_id, department)
