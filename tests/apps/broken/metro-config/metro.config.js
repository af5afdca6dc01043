throw new Error('this configuration never loads');
